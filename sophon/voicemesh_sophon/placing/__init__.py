"""Which service works on which chip and cores, and whether it fits."""
