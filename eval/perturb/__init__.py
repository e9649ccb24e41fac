"""Other spellings, names and meanings: does the reading hold?"""
