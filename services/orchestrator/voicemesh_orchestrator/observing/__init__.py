"""Who watches conversations without changing them."""
