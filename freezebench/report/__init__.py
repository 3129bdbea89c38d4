"""What people read: tables and files made of records and verdicts."""
