package image

const removeInChild = "ZONES_IMAGE_TEST_REMOVE"
