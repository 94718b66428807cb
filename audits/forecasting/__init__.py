"""Forecasts: rolling origins, their errors, intervals and groups, and a trigger on the errors.

Lives here: what is particular to a forecaster of monthly series. Must not live here: what any model
needs (`estimate`, `criteria`, `intervals`, `sources`). Who may import it: `models` and above.
"""
