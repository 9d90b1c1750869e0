"""The paper's printed results, and a run laid beside them: ``ferc results DIR --paper table1``.

values    what the paper prints, and how its tables are laid out; light to import
compare   a run's scores in the places of the paper's, mean and deviation over seeds
tables    both as text: wide for people, tidy for programs
figures   both drawn, as the paper's figures 5 and 6
remarks   what the run lacks and where it departs
"""
