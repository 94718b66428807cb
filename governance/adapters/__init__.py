"""Everything foreign, each behind an interface of ours: key stores, engines, registries, mail.

Lives here: one module a third party or device. Must not live here: a decision of any kind. A
foreign exception ends here and becomes one of our errors.
May be imported by: operations, serving, storage and the deployment; by nothing pure.
"""
