"""Who is recognised: the recogniser's slots are lent to the utterances of all open streams."""
