// The version of gomemcached is whatever `run` finds: the module proxy's newest, or the folder that $GOMEMCACHED names.
module charioteer/conformance/memcached

go 1.19
