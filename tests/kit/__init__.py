"""What tests are built with: a scripted origin, a clock that is moved by hand."""
