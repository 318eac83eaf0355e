"""What somebody means who speaks while the robot does."""
