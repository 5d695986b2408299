"""What tables say of themselves: cells that lack, methods that follow no released code."""
