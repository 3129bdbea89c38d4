"""Results as terminal text, Markdown, CSV, JSON, a page with plots, and CI annotations."""
