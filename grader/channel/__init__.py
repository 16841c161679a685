"""What both sides of the trust boundary share: frames, values, and a peer that calls and is called."""
