"""Time and place: what a model would have known, and how it does later and elsewhere (P9).

Lives here: splits by time with embargo and label maturity (`splitters`), features as they were
known (`as_of`), detectors of leakage and data faults (`leakage`), performance by window
(`windows`) and by site (`sites`), recalibration as a governed component (`recalibration`), and the
audit that reports all of it (`audit`).

Must not live here: forecasts of series (`audits.forecasting`), the measures themselves
(`audits.performance`), files, clocks, engines. May import: `estimate`, `criteria`, `errors`,
`report`, `intervals`, `sources`, `performance`. May be imported by: the packages above.
"""
