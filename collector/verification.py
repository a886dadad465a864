"""
Verification of a period: joins roster, calendars and targets with the store, and the pure verifier.

    device-days without a valid record ──▶ perfect? one query ──▶ record
                                       └─▶ minute by minute  ──▶ record ──▶ `availability` points ──▶ verdicts
"""
