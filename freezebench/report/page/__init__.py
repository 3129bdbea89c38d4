"""Page: the report as one HTML file that works from disk, without a network, on any screen and on paper."""
