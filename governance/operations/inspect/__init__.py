"""What only reads: work-lists, standing, reports, verification of the ledger."""
