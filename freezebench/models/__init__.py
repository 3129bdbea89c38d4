"""Loading models and finding their layers."""
