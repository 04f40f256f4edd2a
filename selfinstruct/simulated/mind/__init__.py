"""What it says: what a prompt asks for, the answer to it, and the forms, sound or not, that the answer takes."""
