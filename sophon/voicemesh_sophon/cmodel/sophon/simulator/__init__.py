"""The simulator behind ``sophon.sail``: libraries, device, model files, networks."""
