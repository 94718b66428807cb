"""Drift: whether rows, answers and outcomes are still what the model was judged on.

Lives here: the stored reference, distances between two samples of a column, tests and monitors with
a declared false-alarm bound, performance without labels, and labels that arrive late. Must not live
here: schedules, findings and obligations (`change_control.watch`), engines. Who may import it:
`models` and above. The trigger for forecast error is `audits.forecasting.trigger`.
"""
