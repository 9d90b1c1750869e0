"""Drawing faces that show an expression: who, what is felt, how it is seen, and the image.

people       who: skin, hair, proportions
expressions  what is felt: class, intensity, valence, arousal; and the action units that show it
views        how it is seen: pose, light, background, camera
sketch       smooth shapes on a head that turns
features     eyes, brows, forehead, nose
mouth        lips, teeth, tongue, folds
hair         hair, beards, glasses
face         all of it as an image
"""
