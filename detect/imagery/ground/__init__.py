"""Where images lie on the ground: map coordinates, longitude and latitude, metres and hectares."""
