"""What would go wrong with a follow-up that waits, found when something changes (docs/decisions/0034)."""
