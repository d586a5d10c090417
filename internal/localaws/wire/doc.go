// Package wire is the AWS wire: it turns an HTTP request into a typed call and its answer back into
// the protocol that the caller spoke. A service registers typed functions and never sees HTTP:
//
//	r.On(wire.Service{Name: "ecs", Lower: true},
//		wire.Action("CreateCluster", s.createCluster), // func(context.Context, *createClusterIn) (*createClusterOut, error)
//	)
//
// Protocols: query and EC2's flavour of it, JSON 1.0 and 1.1, REST-JSON, RPC v2 CBOR. The codec follows
// from the request, because one service (CloudWatch) is spoken to in three.
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
// Strictness: a member that a request has and its struct has not is an error, and is listed by Unhandled like an
// action nobody serves: nothing is accepted and then ignored. Who calls which service is read from the
// signature; Registry.Authenticate decides whether that counts.
package wire
