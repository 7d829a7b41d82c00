"""What is learned from the past: purchase and spending models, classifiers, and how a model is selected."""
