"""The pages of docs/reference, each made from the code it describes. They state nothing that the code does not."""
