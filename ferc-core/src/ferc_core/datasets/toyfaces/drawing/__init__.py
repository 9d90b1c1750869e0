"""Drawing faces with an expression.

subjects     skin, hair, proportions
expressions  emotions: class, intensity, valence, arousal; and the action units that show them
views        pose, light, background, camera
sketch       smooth shapes on a head that turns
features     eyes, brows, forehead, nose
mouth        lips, teeth, tongue, folds
hair         hair, beards, glasses
face         all of it as an image
"""
