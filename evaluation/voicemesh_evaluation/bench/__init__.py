"""Load on a mesh: scripted conversations in real time, beside a floor without a framework."""
