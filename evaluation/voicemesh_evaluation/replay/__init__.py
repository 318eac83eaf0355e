"""Feeds a recorded conversation through a mesh again and tells what differs."""
