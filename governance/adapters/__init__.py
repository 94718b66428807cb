"""Everything foreign, each behind an interface of ours: key stores, engines, registries, mail.

Lives here: one module a third party or device. Must not live here: a decision of any kind. A
foreign exception ends here and becomes one of our errors.
May be imported by: operations, serving, storage and the deployment; by nothing pure.
"""

import os

# P15: set before any engine can be imported; MLflow accepts only the word, and looks up a telemetry
# host as soon as it is used.
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["DO_NOT_TRACK"] = "true"
