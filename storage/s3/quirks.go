package s3

// Kind names a kind of store. The zero value is a store of which nothing is known but that it speaks S3.
type Kind string

// The kinds of stores that are known. A new one gets a name here, its Quirks in Kind.Quirks, a row in the table of
// docs/OPERATIONS.md ("Kinds of stores") and a value of S3_KIND in config/.
const (
	Plain     Kind = ""
	AWS       Kind = "aws"
	Google    Kind = "google"
	MinIO     Kind = "minio"
	SeaweedFS Kind = "seaweedfs"
	VersityGW Kind = "versitygw"
	R2        Kind = "r2" // Cloudflare
)

// Quirks say in what a kind of store differs from S3 as AWS describes it. The zero value is a store that does not.
//
// What one kind needs and no other minds is done for all of them, and is no field here:
//
//   - A multipart upload in which parts are copied is begun without checksums: versitygw 1.8 gives a copied part the
//     checksum of its whole source, and then refuses to complete the upload (BeginMultipart).
//   - The source of a copy is escaped with %20, not "+" (copySource): versitygw.
//   - ExistingObjectIsDirectory is tried again (newRetryer): versitygw, where a folder is removed meanwhile.
//   - A full store is known by XMinioStorageFull (MinIO) and by QuotaExceeded, too (wrap).
//   - A store that refuses a multipart upload with checksums (501) is asked again without them (BeginMultipart).
type Quirks struct {
	// NoChecksums: the store refuses requests with the SDK's checksums (CRC32 in a header or a trailer), so a body is
	// protected by TLS or its signature alone, and parts by their ETags. Seen at Google Cloud Storage, which knows
	// x-goog-hash in their place.
	NoChecksums bool
	// RewritesAcceptEncoding: something before the store changes Accept-Encoding, so the signature must not cover it.
	// Seen at Google Cloud Storage: SignatureDoesNotMatch for every request.
	RewritesAcceptEncoding bool
	// NoPartCopy and NoObjectCopy: the store does not copy parts, or objects, by itself; they are read and written. Parts:
	// Google Cloud Storage. Where they are not set, a refusal is noticed and kept for an hour (Client.CopyPart). So they
	// save that request, or are for a store that accepts copies and gets them wrong.
	NoPartCopy   bool
	NoObjectCopy bool
	// NoDeleteObjects: the store does not remove several objects in one call. Google Cloud Storage. One that refuses is
	// found out (Client.DeleteAll).
	NoDeleteObjects bool
	// AskPartSizes: it is not known whether the store takes parts of different sizes, as copied parts have. It is asked
	// before it copies the first one (Client.mixesParts).
	AskPartSizes bool
	// ExactMultiparts: with a prefix the store lists only the multipart uploads whose key is the prefix, so all of a
	// bucket are listed, and those of other uploads left out. MinIO.
	ExactMultiparts bool
	// WholeSums: a multipart upload is begun for the checksum of the whole object. Otherwise its completion has to name
	// the checksum of each part (SeaweedFS 4.48: 400, InvalidRequest), but the store does not list them, and those of
	// parts that clients have sent are known from nowhere else. Where clients send parts, CheckDirect finds it out.
	WholeSums bool
}

// Quirks are what is known of a kind of store; false: there is no such kind.
func (k Kind) Quirks() (q Quirks, known bool) {
	switch k {
	case Google:
		return Quirks{NoChecksums: true, RewritesAcceptEncoding: true, NoPartCopy: true,
			NoDeleteObjects: true}, true
	case R2:
		// All parts but the last must have one size, and the last none above it. The engine cuts uploads so; parts that are
		// copied would have the sizes of their sources.
		return Quirks{NoPartCopy: true}, true
	case Plain:
		return Quirks{AskPartSizes: true}, true
	case MinIO:
		return Quirks{ExactMultiparts: true}, true
	case SeaweedFS:
		return Quirks{WholeSums: true}, true
	case AWS, VersityGW:
		return Quirks{}, true
	}
	return Quirks{}, false
}
