package instance

import _ "pgregory.net/rapid"
