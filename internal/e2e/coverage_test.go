package e2e

import (
	"fmt"
	"slices"
)

// excused are described answers that no test here gets, and why. The operation "*" stands for all operations.
var excused = map[string]string{
	"* 500":              "nothing is known to cause it, but a file that was changed in the store",
	"createUpload 423":   "somebody would have to hold a part that has all its bytes",
	"createUpload 409":   "another request would have to take an upload over while its first bytes come",
	"putFile 409":        "the same",
	"appendUpload 507":   "TestDiskFull gets it, or a 503: where the disk is full first decides",
	"createDirect 507":   "the store would have to be full",
	"completeDirect 507": "the same",
	"completeDirect 202": "the store would have to be slow at the right moment: direct.TestCompletionGoesOn gets it",
	"completeDirect 423": "somebody would have to hold an upload that is not being completed",
	"endDirect 423":      "the same",
	"createUpload 507":   "the same",
	"putFile 507":        "the same",
	"uploadForm 507":     "the same",
	"overrideMethod 507": "the same",
	"getUpload 507":      "a HEAD that finishes what a crash has left would have to meet it",
	"getUpload 422":      "the same, and content that is not what was declared",
}

// unmet returns the described answers that no test has got.
func (c *contract) unmet() (all []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, item := range c.doc.Paths.Map() {
		for _, o := range item.Operations() {
			for status := range o.Responses.Map() {
				answer := fmt.Sprint(o.OperationID, " ", status)
				if !c.seen[answer] && excused[answer] == "" && excused["* "+status] == "" {
					all = append(all, answer)
				}
			}
		}
	}
	slices.Sort(all)
	return all
}
