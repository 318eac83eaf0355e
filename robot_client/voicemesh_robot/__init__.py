"""The client room: what a robot, or a person with a file, needs to talk to the mesh."""
