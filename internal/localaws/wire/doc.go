// Package wire implements AWS's wire protocols: it turns an HTTP request into a typed call, and its answer back into
// the caller's protocol. A service registers typed functions and never sees HTTP:
//
//	r.On(wire.Service{Name: "ecs", Lower: true},
//		wire.Action("CreateCluster", s.createCluster), // func(context.Context, *createClusterIn) (*createClusterOut, error)
//	)
//
// Protocols: query and EC2's flavour of it, JSON 1.0 and 1.1, REST-JSON, RPC v2 CBOR. The request determines the codec,
// because clients of one service (CloudWatch) use three.
//
// Members: a Go field carries AWS's member name with an upper-case first letter; Service.Lower says that the
// wire spells it lower-case. A tag changes that: `wire:"name"`, `wire:"Tags>Tag"` (XML list with its element's
// name), `wire:",required"`, `wire:",omitempty"`. Nil pointers, slices and maps are absent, everything else is
// sent: zero and absent differ. Embedded structs are flattened. Leaves are string, bool, ints, float64, []byte,
// Time and, for free-form JSON, any.
//
// REST-JSON members that are not in the body say where they are: `at:"uri"`, `at:"query=Qualifier"`,
// `at:"header=X-Amz-Invocation-Type"`, `at:"body"` (a []byte that is the whole body), `at:"status"` (an int: the HTTP status).
//
// Strictness: a request member that the struct lacks is an error, and Unhandled lists it like an
// action that is not served: nothing is accepted and then ignored. The caller and the service are read from the
// signature; Registry.Authenticate decides whether it is valid.
package wire
