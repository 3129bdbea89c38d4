"""What trains: frozen prefixes and single layers."""
