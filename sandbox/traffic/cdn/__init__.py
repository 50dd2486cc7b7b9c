"""Cloud CDN: a cache between the load balancer and the objects of backend buckets."""
