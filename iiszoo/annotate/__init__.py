"""`iiszoo annotate`: a page to click in, for any model of the zoo.

The truth is a log of what the person did, one file per image (`events`); everything else follows from it: the objects
and their clicks (`document`), their masks (`states`), the files of the output (`output`). `person.py` answers the
page's requests, `model_thread.py` runs the model beside them, and `server.py` is the web server.
"""
