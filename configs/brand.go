package configs

// DefaultBrand is the brand of a zone that asks for none.
const DefaultBrand = "sparse"
