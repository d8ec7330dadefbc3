"""The words of captions for how a picture was made. Phrases stand in a list more than once to be said more often."""

from training.scenes.names import Fault, Style

# a style before what is shown, after it, and all by itself
STYLE_OF: dict[Style, list[str]] = {
    "photo": [
        "a photo of",
        "photo of",
        "a photograph of",
        "photograph of",
        "a picture of",
        "high quality, detailed photograph of",
        "high quality, detailed photograph of",
        "a high quality photo of",
        "a detailed photograph of",
        "a realistic photo of",
        "a sharp, detailed photo of",
        "a beautiful photo of",
        "a professional photograph of",
    ],
    "oil": [
        "an oil painting of",
        "a detailed oil painting of",
        "a painting of",
        "oil painting of",
        "a classical oil painting of",
        "an impressionist painting of",
        "a beautiful oil painting of",
        "a detailed oil painting of",
        "a canvas painting of",
    ],
    "vangogh": [
        "an oil painting in the style of van gogh of",
        "a van gogh painting of",
        "a painting in the style of van gogh of",
        "a painting by vincent van gogh of",
        "van gogh style painting of",
        "an oil painting in the style of vincent van gogh of",
        "a post-impressionist painting of",
    ],
    "watercolor": [
        "a watercolor painting of",
        "a watercolour of",
        "watercolor of",
        "a soft watercolor painting of",
        "a watercolour painting of",
        "an aquarelle of",
    ],
    "pencil": [
        "a pencil sketch of",
        "a pencil drawing of",
        "a graphite drawing of",
        "a black and white pencil drawing of",
        "a detailed pencil sketch of",
        "a charcoal drawing of",
    ],
    "digital": [
        "detailed digital art of",
        "digital art of",
        "a digital painting of",
        "concept art of",
        "detailed digital art of",
        "a vivid digital illustration of",
        "a colorful digital artwork of",
    ],
    "pixel": [
        "pixel art of",
        "8-bit pixel art of",
        "a pixel art scene of",
        "retro game pixel art of",
        "16-bit pixel art of",
    ],
    "flat": [
        "a flat vector illustration of",
        "vector art of",
        "a minimalist illustration of",
        "a flat illustration of",
        "a flat design poster of",
    ],
    "sketch": [
        "a rough colour sketch of",
        "a rough sketch of",
        "a child's drawing of",
        "a crayon drawing of",
        "a rough color sketch of",
        "a simple marker drawing of",
    ],
    "lines": [
        "a line drawing of",
        "an ink line drawing of",
        "a simple outline drawing of",
        "a black and white line drawing of",
        "line art of",
    ],
    "degraded": [
        "a blurry photo of",
        "low quality photo of",
        "blurry, low quality photo of",
        "a bad photo of",
        "low quality, blurry picture of",
    ],
}

STYLE_AFTER: dict[Style, list[str]] = {
    "photo": [
        "photo",
        "photograph",
        "high quality photo",
        "realistic photo",
        "detailed photograph",
        "high quality, detailed",
    ],
    "oil": ["oil painting", "detailed oil painting", "oil on canvas", "as an oil painting", "painting"],
    "vangogh": [
        "in the style of van gogh",
        "van gogh style",
        "oil painting in the style of van gogh",
        "by vincent van gogh",
        "as painted by van gogh",
    ],
    "watercolor": ["watercolor", "watercolor painting", "as a watercolor", "watercolour"],
    "pencil": ["pencil sketch", "pencil drawing", "black and white drawing", "as a pencil sketch"],
    "digital": ["digital art", "detailed digital art", "digital painting", "concept art", "as digital art"],
    "pixel": ["pixel art", "8-bit pixel art", "as pixel art"],
    "flat": ["flat vector illustration", "vector art", "flat illustration", "minimalist illustration"],
    "sketch": ["rough colour sketch", "rough sketch", "crayon drawing"],
    "lines": ["line drawing", "line art", "ink line drawing"],
    "degraded": ["blurry", "low quality", "blurry, low quality", "low resolution"],
}

STYLE_ALONE: dict[Style, list[str]] = {
    "photo": [
        "a photo",
        "a photograph",
        "a high quality photo",
        "high quality, detailed photograph",
        "high quality, detailed",
        "a realistic photo",
    ],
    "oil": ["an oil painting", "a detailed oil painting", "oil painting", "a painting"],
    "vangogh": [
        "an oil painting in the style of van gogh",
        "an oil painting in the style of van gogh",
        "a painting in the style of van gogh",
        "in the style of van gogh",
        "van gogh",
    ],
    "watercolor": ["a watercolor painting", "watercolor", "a watercolour"],
    "pencil": ["a pencil sketch", "a pencil drawing", "a black and white pencil sketch"],
    "digital": ["detailed digital art", "digital art", "a digital painting"],
    "pixel": ["pixel art", "8-bit pixel art", "retro pixel art"],
    "flat": ["a flat vector illustration", "vector art", "a flat illustration"],
    "sketch": ["a rough colour sketch", "a rough sketch", "a crayon drawing"],
    "lines": ["a line drawing", "line art", "an ink drawing"],
    "degraded": [
        "blurry",
        "low quality",
        "blurry, low quality",
        "blurry, low quality, noisy, distorted",
        "worst quality, low quality",
        "a bad photo",
        "low resolution",
    ],
}

WITH_FAULT: dict[Fault, list[str]] = {
    "blurry": ["blurry", "out of focus", "unsharp"],
    "low_resolution": ["low resolution", "low-res", "pixelated"],
    "noisy": ["noisy", "grainy"],
    "blocks": ["jpeg artifacts", "compressed", "low quality"],
    "faded": ["faded", "washed out", "old faded"],
}

# what is said of a photograph without knowing what it shows
ANY_PHOTO = ["a photo", "a photograph", "a picture", "a realistic photo", "photo"]

GOOD_PHOTO = [
    "high quality, detailed photograph",
    "high quality, detailed photograph",
    "high quality, detailed photo",
    "a high quality photo",
    "a detailed photograph",
    "a sharp, detailed photo",
    "a professional photograph",
]
