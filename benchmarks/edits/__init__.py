"""The paired-truth benchmark: edits of rendered places whose true answer is known, at every strength.

python -m benchmarks.edits [--model FOLDER] [--places 4] [--detail preset]

The renderer of ``training/scenes`` draws the same held-out places as a photograph, sketch or bad photograph, and in
each look that is asked for. So for every edit of the four uses it is known what is right. For each strength it is
measured

* how far input and result are from the truth, and how much of the input's structure the result kept (faithfulness);
* whether the result looks like what was asked for (adherence), by a small classifier trained on renders, whose own
  accuracy is printed beside its verdicts;
* how near the results are, as a crowd, to true pictures of their kind (realism: kernel distance).

This is figure 3 of the SDEdit paper (Meng et al. 2021, arXiv:2108.01073) for any model folder.
"""
