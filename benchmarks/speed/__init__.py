"""The speed benchmark: Overpaint and diffusers on the same work, beside the least time that this machine needs for it.

python -m benchmarks.speed [--only NAME ...] [--repeat 5] [--json FILE] [--plot FILE] [--page FILE]
python -m benchmarks.speed --device cuda

All of an item's competitors have the same weights, pictures, words, steps and network calls (which are counted), and
run in turns, so that all of them see the same moods of the machine. Told are medians. No run gets a picture or words
that an earlier run had, so nothing that was kept of one makes the next quicker.

* diffusers is ``StableDiffusionImg2ImgPipeline`` as its documentation tells people to use it, and at its best.
* The floor is the arithmetic of the networks' needed rows, over the rate of one large matrix product on this machine.
* The goals are ours: where one is missed, the table says so.

``docs/speed.md`` says how to read it.
"""
