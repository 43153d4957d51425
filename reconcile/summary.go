package reconcile

import "fmt"

// String is the summary in one sentence.
func (s Summary) String() string {
	return fmt.Sprintf("%d records and %d objects (%d bytes) were compared: %d findings, %d of them repaired; "+
		"%d objects are too young to be judged.",
		s.Records, s.Objects, s.Bytes, s.Found, s.Fixed, s.Young)
}

// Clean reports whether nothing is left to do.
func (s Summary) Clean() bool { return s.Found == s.Fixed }
