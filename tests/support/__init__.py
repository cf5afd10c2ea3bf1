"""What tests of several rooms share: recorded runs made by hand, and how to start a browser."""
