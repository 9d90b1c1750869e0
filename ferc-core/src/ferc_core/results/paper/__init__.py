"""The paper's printed results, and a run compared with them: ``ferc results DIR --paper table1``.

values    what the paper prints, and the layout of its tables; light to import
compare   a run's scores at the places of the paper's, mean and standard deviation over seeds
tables    both as text: wide for people, tidy for programs
figures   both as a drawing, like the paper's figures 5 and 6
remarks   what the run lacks and where it differs
"""
