"""The migrations, oldest first; each stays as it was once it has been released."""
