"""From a registered document to a release: register, approve, wrap, evaluate, release."""
