"""The pack: the meeting's answers as files that leave the room. It renders answers and computes nothing."""
