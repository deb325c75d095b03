"""What any margin model may be charged on top: closed forms on arrays of positions."""
