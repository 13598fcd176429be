"""What a prediction is worth against the truth: overlap, surfaces, probabilities. One definition per figure."""
