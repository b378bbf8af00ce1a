"""What a run found and did, as a page for people and a file for machines."""
